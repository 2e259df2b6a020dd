"""The dashboard's API, divided as its page is: handlers over a store, without HTTP."""
