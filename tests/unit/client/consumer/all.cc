/* SPDX-License-Identifier: Apache-2.0 */
// The header and its adapter are C++ too.
#include <idemclient.h>
#include <idemclient.hpp>
#include <idemclient_admin.h>
#include <idemclient_http.h>
#include <idemclient_loop.h>
#include <idemclient_uv.h>

int main() {
    idem_args args = IDEM_ARGS_INIT;
    idem_http http = IDEM_HTTP_INIT;
    idem_command_args command = IDEM_COMMAND_ARGS_INIT;
    idem::args keyed("k");
    if (http.size == 0 || command.size == 0 || keyed.key_len != 1)
        return 1;
    return idem_error_assume(IDEM_E_TIMEOUT) == IDEM_ASSUME_UNKNOWN &&
                   args.size != 0
               ? 0
               : 1;
}
