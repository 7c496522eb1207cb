# SPDX-License-Identifier: Apache-2.0
# idemctl's completion, as this idemctl has it.
eval "$(idemctl completion bash 2>/dev/null)"
