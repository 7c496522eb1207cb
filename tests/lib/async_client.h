/* SPDX-License-Identifier: Apache-2.0 */
/* async_client.h -- idem_client's functions on top of an idem_async with a
 * thread of its own for its loop, so that the blocking client's stories are
 * told about the async one as well: a test is compiled a second time with this
 * header before it. */
#ifndef IDT_ASYNC_CLIENT_H
#define IDT_ASYNC_CLIENT_H

#define idem_client          idt_client
#define idem_client_open     idt_client_open
#define idem_client_close    idt_client_close
#define idem_client_info     idt_client_info
#define idem_client_status   idt_client_status
#define idem_client_watch    idt_client_watch
#define idem_client_shutdown idt_client_shutdown
#define idem_call            idt_call
#define idem_acquire         idt_acquire
#define idem_complete        idt_complete
#define idem_release         idt_release
#define idem_renew           idt_renew
#define idem_peek            idt_peek
#define idem_ping            idt_ping
#define idem_stats           idt_stats
#define idem_run             idt_run
#define idem_run_fn          idt_run_fn
#define idem_run_once        idt_run_once
#define idem_run_token       idt_run_token
#define idem_run_attempt     idt_run_attempt
#define idem_run_previous    idt_run_previous
#define idem_run_set_result  idt_run_set_result
#define idem_run_lost        idt_run_lost

#endif
