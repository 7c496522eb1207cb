# SPDX-License-Identifier: Apache-2.0
# idemctl's completion, as this idemctl has it.
command idemctl completion fish 2>/dev/null | source
