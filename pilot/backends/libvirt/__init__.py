"""The libvirt provider: hosts reached by a libvirt URI, and the VMs on them."""
