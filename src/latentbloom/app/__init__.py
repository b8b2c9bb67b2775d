"""A web page and an HTTP API for trained runs."""
