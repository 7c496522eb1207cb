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
    private static final Course[] NONE = {};

    private final int most;
    private Course[] slots = new Course[16];
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
        Course[] old = slots;
        slots = new Course[old.length * 2];
        for (Course one : old) {
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
    long add(Course course) {
        if (count * 2 >= slots.length) {
            grow();
        }
        long msgid = number();
        slots[slot(msgid)] = course;
        count++;
        return msgid;
    }

    /** Null: no call under way has that number. */
    Course remove(long msgid) {
        int at = slot(msgid);
        Course found = slots[at];
        if (found == null || found.msgid != msgid) {
            return null;
        }
        slots[at] = null;
        count--;
        return found;
    }

    /** Those whose time is over, and those that nobody waits for. */
    Course[] removeLate(long now) {
        List<Course> late = null;
        for (int i = 0; i < slots.length && count > 0; i++) {
            Course one = slots[i];
            if (one != null && one.attemptEnd <= now) {
                late = late == null ? new ArrayList<>() : late;
                late.add(one);
                slots[i] = null;
                count--;
            }
        }
        return late == null ? NONE : late.toArray(NONE);
    }

    Course[] removeAll() {
        List<Course> all = new ArrayList<>();
        for (Course one : slots) {
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
            for (Course one : slots) {
                end = one == null ? end : Math.min(end, one.attemptEnd);
            }
        }
        return end;
    }

    long longestLeft(long now) {
        long left = 0;
        for (Course one : slots) {
            left = one == null ? left : Math.max(left, one.attemptEnd - now);
        }
        return left;
    }

    boolean hasQuickChangeBefore(long sent) {
        for (Course one : slots) {
            if (one != null && one.isQuickChange() && one.sent < sent) {
                return true;
            }
        }
        return false;
    }
}
