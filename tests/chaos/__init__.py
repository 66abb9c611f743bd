# SPDX-License-Identifier: Apache-2.0
"""Conservation under chaos: mixed load while everything goes wrong, and the books at the end."""
