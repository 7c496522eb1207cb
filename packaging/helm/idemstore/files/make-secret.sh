#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make-secret.sh -- makes the Secret NAME in this pod's namespace, with one
# random line under the key `secret`. One that is there stays as it is.
set -eu
account=${ACCOUNT:-/var/run/secrets/kubernetes.io/serviceaccount}
namespace=$(cat "$account/namespace")
line=$(head -c 48 /dev/urandom | base64 | tr -d '+/=\n')
[ "${#line}" -ge 32 ] || { echo "no random bytes"; exit 1; }
code=$(printf '{"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
 "metadata": {"name": "%s", "labels": {"app.kubernetes.io/name": "idemstore"}},
 "stringData": {"secret": "%s"}}' "$NAME" "$line" |
    curl --silent --show-error --output /dev/null --write-out '%{http_code}' \
        --max-time 60 --cacert "$account/ca.crt" \
        --header "Authorization: Bearer $(cat "$account/token")" \
        --header 'Content-Type: application/json' --data-binary @- \
        "${SERVER:-https://kubernetes.default.svc}/api/v1/namespaces/$namespace/secrets")
case $code in
201) echo "secret $NAME: made" ;;
409) echo "secret $NAME: it is there, and stays" ;;
*)
    echo "secret $NAME: the API server answers $code"
    exit 1
    ;;
esac
