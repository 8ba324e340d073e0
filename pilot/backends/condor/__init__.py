"""HTCondor: machines with their slots, and queues, pool by pool."""
