"""Hypervisors reached by a libvirt URI."""
