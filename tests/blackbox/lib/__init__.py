# SPDX-License-Identifier: Apache-2.0
"""What the black-box tests share: the daemon under test, its clients, its consumers."""
