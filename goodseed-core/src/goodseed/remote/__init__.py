"""The remote's wire protocol, from the client's side; `docs/remote-protocol.md` has it."""
