"""Nodes' screens: who looks at which, relayed between a VNC server and those who may."""
