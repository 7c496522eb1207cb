/* SPDX-License-Identifier: Apache-2.0 */
// idemclient.hpp -- idemclient.h for C++11 and later, in one file: what is
// opened is closed, an error is thrown, a lambda runs once.
//
//   idem::client store("idem://127.0.0.1:7117/shop");
//   idem::answer said = store.run_once("order-4711", [](idem::run &run) {
//       return std::string("paid");      // done; this is replayed to others
//   });
//   if (said.is(IDEM_COMPLETED) || said.is(IDEM_REPLAY))
//       std::cout << said.result();
//
// Numbers, limits and what each error lets you assume are idemclient.h's.
#ifndef IDEMCLIENT_HPP
#define IDEMCLIENT_HPP

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "idemclient.h"

namespace idem {

// Thrown where idemclient.h returns an error. what() is the library's sentence.
class error : public std::runtime_error {
  public:
    explicit error(const idem_error &raw)
        : std::runtime_error(std::string(idem_error_name(raw.code)) + ": " +
                             raw.text),
          raw_(raw) {
    }
    int32_t code() const noexcept {
        return raw_.code;
    }
    // IDEM_ASSUME_UNCHANGED, IDEM_ASSUME_UNKNOWN, IDEM_ASSUME_REFUSED.
    int32_t assume() const noexcept {
        return raw_.assume;
    }
    // Of an acquire: to ask again with.
    std::string nonce() const {
        return std::string(reinterpret_cast<const char *>(raw_.nonce),
                           raw_.nonce_len);
    }
    const idem_error &raw() const noexcept {
        return raw_;
    }

  private:
    idem_error raw_;
};

namespace detail {
inline void check(int32_t code, const idem_error &err) {
    if (code == IDEM_OK)
        return;
    if (err.code == code)
        throw error(err);
    idem_error own = IDEM_ERROR_INIT; // a call that fills none
    own.code = code;
    own.assume = idem_error_assume(code);
    std::string(idem_error_text(code)).copy(own.text, sizeof own.text - 1);
    throw error(own);
}
} // namespace detail

// The args of a call. It keeps its own copy of what it is given; fields without
// a function are set as in C (args.lease_ms = 7000).
class args : public idem_args {
  public:
    args() : idem_args(IDEM_ARGS_INIT) {
    }
    explicit args(std::string text) : args() {
        set_key(std::move(text));
    }
    args(const char *text) : args(std::string(text)) {
    }
    args(const args &other) : idem_args(other) {
        copy(other);
    }
    args &operator=(const args &other) {
        idem_args::operator=(other);
        copy(other);
        return *this;
    }
    args &set_key(std::string text) {
        return keep(key_, std::move(text), &idem_args::key,
                    &idem_args::key_len);
    }
    args &set_fingerprint(std::string text) {
        return keep(fingerprint_, std::move(text), &idem_args::fingerprint,
                    &idem_args::fingerprint_len);
    }
    args &set_nonce(std::string text) {
        return keep(nonce_, std::move(text), &idem_args::nonce,
                    &idem_args::nonce_len);
    }
    args &set_result(std::string text, int32_t of_class = IDEM_CLASS_SUCCESS) {
        result_class = of_class;
        return keep(result_, std::move(text), &idem_args::result,
                    &idem_args::result_len);
    }
    args &set_token(const idem_token &of_claim) {
        token = of_claim;
        return *this;
    }

  private:
    // Hides the key's pointer from nobody: a caller's own pointer stays.
    args &keep(std::string &place, std::string &&text,
               const void *idem_args::*ptr, size_t idem_args::*len) {
        place = std::move(text);
        this->*ptr = place.data();
        this->*len = place.size();
        return *this;
    }
    void move_to(std::string &place, const std::string &from,
                 const void *idem_args::*ptr) {
        bool is_kept = this->*ptr == static_cast<const void *>(from.data());
        place = from;
        if (is_kept)
            this->*ptr = place.data();
    }
    void copy(const args &other) {
        move_to(key_, other.key_, &idem_args::key);
        move_to(fingerprint_, other.fingerprint_, &idem_args::fingerprint);
        move_to(nonce_, other.nonce_, &idem_args::nonce);
        move_to(result_, other.result_, &idem_args::result);
    }
    std::string key_, fingerprint_, nonce_, result_;
};

// An answer with its memory.
class answer {
  public:
    answer() : raw_(IDEM_ANSWER_INIT) {
    }
    ~answer() {
        idem_answer_fini(&raw_);
    }
    answer(answer &&other) noexcept : raw_(other.raw_) {
        other.raw_ = IDEM_ANSWER_INIT;
    }
    answer &operator=(answer &&other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    answer(const answer &) = delete;
    answer &operator=(const answer &) = delete;
    bool is(int32_t outcome) const noexcept {
        return raw_.outcome == outcome;
    }
    std::string outcome_name() const {
        return idem_outcome_name(raw_.outcome);
    }
    // The stored result; "" where there is none, which has_result tells apart.
    std::string result() const {
        return std::string(reinterpret_cast<const char *>(raw_.result),
                           raw_.result != nullptr ? raw_.result_len : 0);
    }
    std::string nonce() const {
        return std::string(reinterpret_cast<const char *>(raw_.nonce),
                           raw_.nonce_len);
    }
    const idem_answer *operator->() const noexcept {
        return &raw_;
    }
    idem_answer *raw() noexcept {
        return &raw_;
    }

  private:
    idem_answer raw_;
};

// The claim that a function of run_once runs under; valid until it returns.
class run {
  public:
    explicit run(idem_run *raw) noexcept : raw_(raw) {
    }
    idem_token token() const noexcept {
        idem_token token;
        idem_run_token(raw_, &token);
        return token;
    }
    uint32_t attempt() const noexcept {
        return idem_run_attempt(raw_);
    }
    int32_t previous() const noexcept {
        return idem_run_previous(raw_);
    }
    bool lost() const noexcept {
        return idem_run_lost(raw_) != 0;
    }
    void set_result(const std::string &result,
                    int32_t result_class = IDEM_CLASS_SUCCESS) {
        idem_error none = IDEM_ERROR_INIT;
        detail::check(idem_run_set_result(raw_, result.data(), result.size(),
                                          result_class),
                      none);
    }
    idem_run *raw() noexcept {
        return raw_;
    }

  private:
    idem_run *raw_;
};

// How a function of run_once ended, where it does not return its result.
enum class ended : int32_t {
    done = IDEM_RUN_DONE,     // complete, with the result that was set
    failed = IDEM_RUN_FAILED, // it surely did not happen: release
    unsure = IDEM_RUN_UNSURE  // nobody knows: leave the claim
};

namespace detail {
inline int32_t end_of(run &, ended how) {
    return static_cast<int32_t>(how);
}
inline int32_t end_of(run &claim, const std::string &result) {
    claim.set_result(result);
    return IDEM_RUN_DONE;
}
template <typename Function> int32_t call(idem_run *raw, void *ctx) {
    run claim(raw);
    return end_of(claim, (*static_cast<Function *>(ctx))(claim));
}
} // namespace detail

// Any number of threads may share one. All its functions throw idem::error.
class client {
  public:
    explicit client(const std::string &uri) {
        idem_error err = IDEM_ERROR_INIT;
        detail::check(idem_client_open(uri.c_str(), &raw_, &err), err);
    }
    ~client() {
        idem_client_close(raw_);
    }
    client(client &&other) noexcept : raw_(other.raw_) {
        other.raw_ = nullptr;
    }
    client &operator=(client &&other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    client(const client &) = delete;
    client &operator=(const client &) = delete;

    answer call(int32_t method, const idem_args *args) {
        answer said;
        idem_error err = IDEM_ERROR_INIT;
        detail::check(idem_call(raw_, method, args, said.raw(), &err), err);
        return said;
    }
    answer acquire(const args &of) {
        return call(IDEM_ACQUIRE, &of);
    }
    answer complete(const args &of) {
        return call(IDEM_COMPLETE, &of);
    }
    answer release(const args &of) {
        return call(IDEM_RELEASE, &of);
    }
    answer renew(const args &of) {
        return call(IDEM_RENEW, &of);
    }
    answer peek(const args &of) {
        return call(IDEM_PEEK, &of);
    }
    void ping() {
        call(IDEM_PING, nullptr);
    }
    idem_info info() {
        idem_info info = IDEM_INFO_INIT;
        idem_error err = IDEM_ERROR_INIT;
        detail::check(idem_client_info(raw_, 0, &info, &err), err);
        return info;
    }

    // Runs function(idem::run &) under the key's claim, at most once. It
    // returns what converts to std::string (done, and that is the result) or
    // an idem::ended. What it throws comes out of here: the claim is left to be
    // orphaned, since nobody knows whether it had its effect.
    template <typename Function>
    answer run_once(const args &of, Function &&function) {
        typedef typename std::remove_reference<Function>::type Kept;
        answer said;
        idem_error err = IDEM_ERROR_INIT;
        void *ctx = const_cast<void *>(
            static_cast<const void *>(std::addressof(function)));
        detail::check(
            idem_run_once(raw_, &of, detail::call<Kept>, ctx, said.raw(), &err),
            err);
        return said;
    }
    // From any thread: calls under way end, as do all later ones.
    void shutdown() noexcept { idem_client_shutdown(raw_); }
    idem_client *raw() noexcept {
        return raw_;
    }

  private:
    idem_client *raw_ = nullptr;
};

// What a key stands for: each part with its length (idem_fingerprint).
template <typename... Parts> std::string fingerprint(const Parts &...parts) {
    const std::string texts[] = {std::string(parts)...};
    idem_slice slices[sizeof...(parts)];
    uint8_t made[IDEM_FINGERPRINT_BYTES];
    for (size_t i = 0; i < sizeof...(parts); i++) {
        slices[i].ptr = texts[i].data();
        slices[i].len = texts[i].size();
    }
    idem_fingerprint(slices, sizeof...(parts), made);
    return std::string(reinterpret_cast<const char *>(made), sizeof made);
}

} // namespace idem
#endif
