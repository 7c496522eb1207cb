// The header and its adapter are C++ too.
#include <idemclient.h>
#include <idemclient_uv.h>

int main() {
    idem_args args = {};
    args.size = sizeof args;
    return idem_error_assume(IDEM_E_TIMEOUT) == IDEM_ASSUME_UNKNOWN &&
                   args.size != 0
               ? 0
               : 1;
}
