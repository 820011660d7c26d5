#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""An echo server that can be killed: backend.py PORT, on the server's addresses."""

import socket
import sys
import time

import tcp
from lab import FAMILIES, SERVER


def main(port):
  for family in FAMILIES:
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((SERVER[family], port))
    listener.listen(1024)
    tcp.EchoServer(listener)
  print("listening", flush=True)
  while True:
    time.sleep(60)


if __name__ == "__main__":
  main(int(sys.argv[1]))
