"""Advertises many machines to a collector: `python -m bench.slots_filler COLLECTOR MACHINES SLOTS`.

Standard input has two ads as `condor_status -long` writes them, of a partitionable slot and of a dynamic one.
HTCondor's library reads its configuration from the environment.
"""

from __future__ import annotations

import sys
import time

import classad2
import htcondor2

BATCH = 400


def main() -> None:
    """Advertise, and print how many seconds it took."""
    collector, machines, slots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    texts = [text for text in sys.stdin.read().split("\n\n") if text.strip()]
    bases = [dict(classad2.parseOne(text)) for text in texts]
    parent, busy = sorted(bases, key=lambda ad: ad["SlotType"] == "Dynamic")
    begun, batch = time.monotonic(), list[object]()
    at = htcondor2.Collector(collector)
    for machine in range(machines):
        host = f"compute-{machine // 100}-{machine % 100}.pilot.test"
        address = f"<10.{machine // 250 % 250}.{machine % 250}.1:9618>"
        for slot in range(slots):
            ad = dict(parent if slot == 0 else busy)
            ad["Machine"], ad["MyAddress"], ad["StartdIpAddr"] = host, address, address
            ad["Name"] = f"slot1@{host}" if slot == 0 else f"slot1_{slot}@{host}"
            ad["DSlotID"], ad["LoadAvg"] = slot, slot / 100
            batch.append(classad2.ClassAd(ad))
            if len(batch) == BATCH:
                at.advertise(batch, "UPDATE_STARTD_AD", True)
                batch.clear()
    if batch:
        at.advertise(batch, "UPDATE_STARTD_AD", True)
    print(time.monotonic() - begun)


if __name__ == "__main__":
    main()
