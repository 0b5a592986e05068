"""A project on django-oauth-toolkit, as its users set one up; runs in an environment of its own."""
