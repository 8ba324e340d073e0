"""Screens of VMs."""
