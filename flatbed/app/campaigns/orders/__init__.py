"""Campaigns: an ISV's orders for a quantity of qualified partners, from draft to their end."""
