/* SPDX-License-Identifier: Apache-2.0 */
/* Two nodes compare what they let in. */
#include "tests/unit/access/texts.h"

#define A "sha256:" HASH_1
#define B "sha256:" HASH_2

static uint64_t digest_of(const char *text) {
    ids_credentials *c = parse_good(text);
    uint64_t digest = ids_credentials_digest(c);
    ids_credentials_drop(c);
    return digest;
}

Test(digest, is_the_same_whatever_the_order_and_the_comments) {
    static const char *const same[] = {
        "shop " A "," B " claim=shop,bar-* read=shop\nops cert:CN:o admin\n",
        "ops cert:CN:o admin\nshop " A "," B " claim=shop,bar-* read=shop\n",
        "# as above\n\nshop  " B "," A "  read=shop claim=bar-*,shop\n"
        "ops cert:CN:o admin\n"};
    for (size_t i = 1; i < sizeof same / sizeof *same; i++)
        cr_assert_eq(digest_of(same[i]), digest_of(same[0]), "%s", same[i]);
}

Test(digest, is_another_one_for_whatever_else_differs) {
    static const char *const all[] = {"shop " A " claim=shop\n",
                                      "shop " A " claim=shop read=shop\n",
                                      "shop " A " read=shop\n",
                                      "shop " A " claim=shop*\n",
                                      "shop " A " claim=*\n",
                                      "shop " A " claim=\"\"\n",
                                      "shop " A " claim=\n",
                                      "shop " A "\n",
                                      "shop " B " claim=shop\n",
                                      "shop " A "," B " claim=shop\n",
                                      "shop2 " A " claim=shop\n",
                                      "shop " A " claim=shop admin\n",
                                      "shop " A " claim=shop stats\n",
                                      "shop " A " claim=shop,bar\n",
                                      "shop cert:CN:a claim=shop\n",
                                      "shop cert:DNS:a claim=shop\n",
                                      "shop " A "\nops " B " claim=shop\n",
                                      "shop " B "\nops " A " claim=shop\n"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t k = 0; k < i; k++)
            cr_assert_neq(digest_of(all[i]), digest_of(all[k]), "%s%s", all[i],
                          all[k]);
}
