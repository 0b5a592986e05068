"""The layers around the application: what every request passes before a route is chosen."""
