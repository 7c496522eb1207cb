/* SPDX-License-Identifier: Apache-2.0 */
/* test_credentials_file.c -- what the file may say, and each thing that refuses
 * it, with its line. */
#include "server/access/file.h"
#include "tests/unit/access/texts.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BAD(text, said) parse_bad(text, strlen(text), said)

Test(credentials_file, says_who_and_what) {
    ids_credentials *c = parse_good(
        "# name verifier grants\n"
        "\n"
        "\t # another comment\n"
        "shop  sha256:" HASH_1 ",sha256:" HASH_2
        " claim=shop,shop-* read=shop\n"
        "ops\tcert:CN:ops claim=* read=* resolve=* admin stats\n"
        "payments cert:URI:spiffe://prod/pay,cert:DNS:pay.prod claim=payments\n"
        "idle cert:CN:idle\n");
    cr_assert_eq(c->users_count, 4);
    cr_assert_eq(c->verifiers_count, 6);
    const ids_user *shop = ids_credentials_user(c, "shop");
    cr_assert_not_null(shop);
    cr_assert_eq(shop->line, 4);
    cr_assert_eq(shop->verifiers_count, 2);
    cr_assert_eq(shop->verifiers[1].id[31], 0x22);
    cr_assert_eq(shop->verifiers[1].user, shop);
    cr_assert_eq(shop->of[IDS_GRANT_CLAIM].count, 2);
    cr_assert_eq(ids_credentials_user(c, "ops")->words,
                 IDS_GRANT_BIT(IDS_GRANTS) - 1);
    cr_assert_eq(ids_credentials_user(c, "idle")->words, 0);
    cr_assert_null(ids_credentials_user(c, "sho"));
    ids_credentials_drop(c);
}

Test(credentials_file, is_whole_or_refused) {
    BAD("", "there is no credential in it");
    BAD("# nothing yet\n", "there is no credential in it");
    BAD("shop sha256:" HASH_1 " claim=shop", "line 1: the last line ends");
    BAD("a cert:CN:a\n# end", "line 2: the last line ends");
    BAD("a cert:CN:a\r\n", "line 1: it ends with a carriage return");
    BAD("a cert:CN:a\n\n\x01\n", "line 3: it has a byte 0x01");
    parse_bad("a cert:CN:a\0\n", 13, "line 1: it has a byte 0x00");
}

Test(credentials_file, refuses_names_that_are_none) {
    BAD("Shop cert:CN:a\n", "line 1: the name Shop must be");
    BAD("sh_p cert:CN:a\n", "the name sh_p must be");
    BAD("a23456789012345678901234567890123 cert:CN:a\n", "must be 1 to 32");
    BAD("a cert:CN:a\nb cert:CN:b\na cert:CN:c\n",
        "line 3: a stands in line 1 already");
    ids_credentials_drop(
        parse_good("a2345678901234567890123456789012 cert:CN:a\n"));
}

Test(credentials_file, refuses_verifiers_that_are_none) {
    BAD("a\n", "line 1: \"a\" has no verifier");
    BAD("a claim=a\n", "claim=a is no verifier");
    BAD("a md5:00\n", "md5:00 is no verifier");
    BAD("a sha256:11\n", "line 1: sha256: needs 64 digits");
    BAD("a sha256:" HASH_1 "1\n", "sha256: needs 64 digits");
    BAD("a sha256:G" HASH_1 "\n", "sha256: needs 64 digits");
    BAD("a cert:CN:a,\n", " is no verifier");
    BAD("a cert:DNS:\n", "must have 1 to 255 bytes");
    BAD("a cert:IP:1.2.3.4\n", "cert:IP:1.2.3.4 is no verifier");
    BAD("a cert:CN:1,cert:CN:2,cert:CN:3,cert:CN:4,cert:CN:5,cert:CN:6,"
        "cert:CN:7,cert:CN:8,cert:CN:9\n",
        "\"a\" has more than 8 verifiers");
}

Test(credentials_file, refuses_a_verifier_that_stands_twice) {
    BAD("a sha256:" HASH_1 "\nb sha256:" HASH_1 "\n",
        "line 2: this verifier stands in line 1 already, of \"a\"");
    BAD("a cert:CN:x,cert:CN:x\n", "line 1: this verifier stands in line 1");
    ids_credentials_drop(parse_good("a cert:CN:x,cert:DNS:x,cert:URI:x\n"));
}

Test(credentials_file, refuses_grants_that_are_none) {
    BAD("a cert:CN:a write=x\n", "line 1: write=x is no grant");
    BAD("a cert:CN:a Claim=x\n", "Claim=x is no grant");
    BAD("a cert:CN:a claim=x # why\n", "# is no grant");
    BAD("a cert:CN:a claim\n", "claim needs = and namespaces");
    BAD("a cert:CN:a admin=x\n", "admin takes no namespaces");
    BAD("a cert:CN:a stats=\n", "stats takes no namespaces");
    BAD("a cert:CN:a claim=x claim=y\n", "claim stands twice");
    BAD("a cert:CN:a stats stats\n", "stats stands twice");
}

Test(credentials_file, refuses_namespaces_that_are_none) {
    BAD("a cert:CN:a claim=x,\n", "line 1: a namespace is missing");
    BAD("a cert:CN:a claim=,x\n", "a namespace is missing");
    BAD("a cert:CN:a claim=s*p\n", "the namespace s*p: write");
    BAD("a cert:CN:a claim=**\n", "the namespace *");
    BAD("a cert:CN:a claim=%2\n", "the namespace %2: write");
    BAD("a cert:CN:a claim=%GG\n", "the namespace %GG: write");
    BAD("a cert:CN:a claim=\xc3\xa4\n", "write what is not");
    BAD("a cert:CN:a claim=\"x\"\n", "write what is not");
    BAD("a cert:CN:a claim=!deny\n", "write what is not");
}

Test(credentials_file, holds_names_of_64_bytes_and_no_longer) {
    char text[256], ns[66];
    memset(ns, 'n', 65);
    ns[65] = '\0';
    snprintf(text, sizeof text, "a cert:CN:a claim=%s\n", ns);
    BAD(text, "line 1: a namespace has at most 64 bytes");
    snprintf(text, sizeof text, "a cert:CN:a claim=%s,%s*\n", ns + 1, ns + 1);
    ids_credentials_drop(parse_good(text));
}

/* So many lines, of which the last is this. */
static char *lines(int count, const char *last) {
    char *text = malloc((size_t)count + strlen(last) + 1);
    cr_assert_not_null(text);
    memset(text, '\n', (size_t)count - 1);
    strcpy(text + count - 1, last);
    return text;
}

Test(credentials_file, has_1024_lines_at_most) {
    char *text = lines(1024, "a cert:CN:a\n");
    ids_credentials_drop(parse_good(text));
    free(text);
    text = lines(1025, "a cert:CN:a\n");
    BAD(text, "line 1025: there are at most 1024 lines");
    free(text);
}

Test(credentials_file, has_64_kib_at_most) {
    size_t len = 64u << 10;
    char *text = malloc(len + 2), why[256];
    cr_assert_not_null(text);
    memset(text, '#', len + 1);
    memcpy(text, "a cert:CN:a\n", 12);
    text[len - 1] = text[len] = '\n';
    ids_credentials *c = ids_credentials_parse(text, len, why, sizeof why);
    cr_assert(c, "%s", why);
    ids_credentials_drop(c);
    parse_bad(text, len + 1, "it has more than 64 KiB");
    free(text);
}

Test(credentials_file, as_many_credentials_as_lines) {
    char *text = malloc(64u << 10), *to = text;
    cr_assert_not_null(text);
    for (int i = 0; i < 1024; i++)
        to += sprintf(to, "n%d cert:CN:c%d claim=n%d\n", i, i, i);
    ids_credentials *c = parse_good(text);
    cr_assert_eq(c->users_count, 1024);
    cr_assert_eq(ids_credentials_user(c, "n777")->line, 778);
    ids_credentials_drop(c);
    free(text);
}

/* On the disk ------------------------------------------------------------- */

static char path[32];

static void write_file(const char *text, mode_t mode) {
    strcpy(path, "/tmp/idem-credentials-XXXXXX");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void load_bad(const char *text, mode_t mode, const char *said) {
    char why[512] = "";
    write_file(text, mode);
    cr_assert_null(ids_credentials_load(path, why, sizeof why));
    cr_assert_eq(strncmp(why, path, strlen(path)), 0, "%s", why);
    cr_assert(strstr(why, said), "%s", why);
    unlink(path);
}

Test(credentials_file, is_nobody_elses) {
    char why[512];
    static const mode_t good[] = {0600, 0400, 0640, 0440};
    static const mode_t bad[] = {0604, 0602, 0601, 0660, 0644, 0666};
    for (size_t i = 0; i < 4; i++) {
        write_file("a cert:CN:a\n", good[i]);
        ids_credentials *c = ids_credentials_load(path, why, sizeof why);
        cr_assert(c, "%s", why);
        ids_credentials_drop(c);
        unlink(path);
    }
    for (size_t i = 0; i < 6; i++)
        load_bad("a cert:CN:a\n", bad[i], ": it may be read by others");
}

Test(credentials_file, is_refused_by_name_and_line) {
    char why[512];
    load_bad("a cert:CN:a\nb\n", 0600, ":2: \"b\" has no verifier");
    load_bad("", 0600, ": there is no credential in it");
    cr_assert_null(ids_credentials_load("/tmp", why, sizeof why));
    cr_assert(strstr(why, "/tmp: it is a folder"), "%s", why);
    cr_assert_null(ids_credentials_load("/nowhere/c", why, sizeof why));
    cr_assert(strstr(why, "No such file"), "%s", why);
}
