"""The client side of the wire protocol, as `docs/remote-protocol.md` describes it."""
