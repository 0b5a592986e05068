"""Offerings, the ISV's products for which it wants partners, and their programmes."""
