// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The calls under way on a connection, by msgid. Its link locks it. A slot is
 * found by the msgid's low bits; one that is taken is passed over.
 */
final class Pending {
    private static final long NUMBER_MAX = 0xFFFFFFFFL;
    private static final Errand[] NONE = {};

    private final int most;
    private Errand[] slots = new Errand[16];
    private int count;
    private long last;

    Pending(int most) {
        this.most = most;
    }

    boolean isEmpty() {
        return count == 0;
    }

    boolean isFull() {
        return count >= most;
    }

    private int slot(long msgid) {
        return (int) msgid & slots.length - 1;
    }

    private void grow() {
        Errand[] old = slots;
        slots = new Errand[old.length * 2];
        for (Errand one : old) {
            if (one != null) {
                slots[slot(one.msgid)] = one;
            }
        }
    }

    /** A number that no call under way has. */
    long number() {
        do {
            last = last % NUMBER_MAX + 1;
        } while (slots[slot(last)] != null);
        return last;
    }

    /** Its number, which the caller writes into it before the lock goes. */
    long add(Errand errand) {
        if (count * 2 >= slots.length) {
            grow();
        }
        long msgid = number();
        slots[slot(msgid)] = errand;
        count++;
        return msgid;
    }

    /** Null: no call under way has that number. */
    Errand remove(long msgid) {
        int at = slot(msgid);
        Errand found = slots[at];
        if (found == null || found.msgid != msgid) {
            return null;
        }
        slots[at] = null;
        count--;
        return found;
    }

    /** Those whose time is over, and those that nobody waits for. */
    Errand[] removeLate(long now) {
        List<Errand> late = null;
        for (int i = 0; i < slots.length && count > 0; i++) {
            Errand one = slots[i];
            if (one != null && one.attemptEnd <= now) {
                late = late == null ? new ArrayList<>() : late;
                late.add(one);
                slots[i] = null;
                count--;
            }
        }
        return late == null ? NONE : late.toArray(NONE);
    }

    Errand[] removeAll() {
        List<Errand> all = new ArrayList<>();
        for (Errand one : slots) {
            if (one != null) {
                all.add(one);
            }
        }
        Arrays.fill(slots, null);
        count = 0;
        return all.toArray(NONE);
    }

    long earliestEnd() {
        long end = Ticks.NEVER;
        if (count > 0) {
            for (Errand one : slots) {
                end = one == null ? end : Math.min(end, one.attemptEnd);
            }
        }
        return end;
    }

    long longestLeft(long now) {
        long left = 0;
        for (Errand one : slots) {
            left = one == null ? left : Math.max(left, one.attemptEnd - now);
        }
        return left;
    }

    boolean hasQuickChangeBefore(long sent) {
        for (Errand one : slots) {
            if (one != null && one.isQuickChange() && one.sent < sent) {
                return true;
            }
        }
        return false;
    }
}
