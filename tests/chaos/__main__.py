# SPDX-License-Identifier: Apache-2.0
"""make chaos, make soak."""

import argparse
import random
import sys

from chaos import run


def arguments():
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("what", choices=["storm", "soak"])
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--rate", type=float, default=100, help="posts a second")
    return parser.parse_args()


def main():
    args = arguments()
    print(f"seed {args.seed}", flush=True)
    return {"storm": run.storm, "soak": run.soak}[args.what](args.seed, args.seconds, args.rate)


if __name__ == "__main__":
    sys.exit(main())
