"""Every router of the program, in the order of the reference."""

from fastapi import APIRouter

from flatbed.app.campaigns.offerings.router import router as offerings

ROUTERS: tuple[APIRouter, ...] = (offerings,)
