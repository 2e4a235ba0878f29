#!/usr/bin/python3
"""seed_wire.py: writes the first inputs of the wire targets to corpus/, from the hand-written
packets below.  What a fuzzer finds later is added there beside them."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))

ARP = "0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002"
IPV4 = "45 00 %s 1234 4000 40 %s 0000 0a000001 0a000002"
TCP = "03e8 0050 00000001 00000000 %s ffff 0000 0000"
UDP = "0035 0400 000c 0000 61626364"
ETH = "020000000002 020000000001 "

SEEDS = {
    "wire_eth": {
        "arp": ETH + "0806 " + ARP,
        "ipv4-udp": ETH + "0800 " + IPV4 % ("0020", "11") + UDP,
        "ipv4-tcp": ETH + "0800 " + IPV4 % ("0028", "06") + TCP % "5010",
        "ipv4-icmp": ETH + "0800 " + IPV4 % ("001c", "01") + "08 00 0000 0001 0002",
        "vlan": ETH + "8100 6005 0806 " + ARP,
        "vlan-twice": ETH + "8100 0001 8100 0002 0800",
        "ipv6": ETH + "86dd 60000000",
        "length-802.3": ETH + "0026 4242 03",
        "vlan-cut": ETH + "8100 00",
    },
    "wire_arp": {
        "request": ARP,
        "reply": ARP.replace("06 04 0001", "06 04 0002"),
        "token-ring": "0006" + ARP[4:],
        "padded": ARP + "00" * 18,
        "cut": ARP[:-2],
    },
    "wire_ipv4": {
        "plain": IPV4 % ("0014", "06"),
        "fragment": "45 00 0024 1234 20b9 40 11 0000 0a000001 0a000002" + "00" * 16,
        "record-route": "47 00 001c 1234 0000 40 01 0000 0a000001 0a000002 01 07 07 04 00000000",
        "source-route": "47 00 001c 1234 0000 40 01 0000 0a000001 0a000002 83 07 04 0a000003 00",
        "options-full": "4f 00 003c 1234 0000 40 01 0000 0a000001 0a000002 44 28 05 00" + "00" * 36,
        "option-length-0": "46 00 0018 1234 0000 40 01 0000 0a000001 0a000002 07 00 00 00",
        "option-overrun": "46 00 0018 1234 0000 40 01 0000 0a000001 0a000002 01 01 07 05",
        "hlen-4": "44 00 0014 1234 0000 40 01 0000 0a000001 0a000002",
        "total-length-too-long": IPV4 % ("05dc", "11"),
    },
    "wire_icmp": {
        "echo": "08 00 0000 0001 0002 616263",
        "need-frag": "03 04 0000 0000 0578" + IPV4 % ("0028", "06") + "03e8005000000001",
        "port-unreachable": "03 03 0000 00000000" + IPV4 % ("0020", "11") + UDP,
        "parameter-problem": "0c 00 0000 14000000" + IPV4 % ("0028", "06"),
        "timestamp": "0d 00 0000 0001 0002 00000001 00000000 00000000",
    },
    "wire_udp": {
        "plain": UDP,
        "empty": "0035 0400 0008 0000",
        "length-7": "0035 0400 0007 0000",
        "length-too-long": "0035 0400 0020 0000 61",
    },
    "wire_tcp": {
        "ack": TCP % "5010",
        "data": TCP % "5018" + "61626364",
        "syn-linux": TCP % "a002" + "020405b4 0402 080a 00000001 00000000 01 030307",
        "syn-freebsd": TCP % "a002" + "020405b4 01 030306 0402 080a 00000001 00000000",
        "timestamps": TCP % "8010" + "0101080a 00000001 00000002",
        "sack": TCP % "b010" + "0101080a 00000001 00000002 0101050a 00000005 00000009",
        "sack-four": TCP % "e010" + "01010522" + "0000000a 00000014" * 4,
        "sack-four-unaligned": TCP % "f010" + "0522" + "0000000a 00000014" * 4 + "020405b4 0402",
        "fast-open": TCP % "8002" + "220a 0102030405060708 0101",
        "all-flags": TCP % "5fff",
        "length-0": TCP % "6002" + "02000000",
        "length-overrun": TCP % "6002" + "0101080a",
        "unknown": TCP % "7002" + "fe04 aabb 0303 0e 00",
        "offset-15-cut": TCP % "f010",
    },
}

for target, inputs in SEEDS.items():
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    for name, text in inputs.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(bytes.fromhex(text.replace(" ", "")))
