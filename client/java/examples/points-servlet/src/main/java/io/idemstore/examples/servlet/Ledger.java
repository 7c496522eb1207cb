// SPDX-License-Identifier: Apache-2.0
package io.idemstore.examples.servlet;

import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.stereotype.Service;
import org.springframework.transaction.annotation.Transactional;

/** The service's own database: its rows count what was executed. */
@Service
public class Ledger {
    private final JdbcTemplate database;

    public Ledger(JdbcTemplate database) {
        this.database = database;
        database.execute("create table if not exists matches (who varchar(99),"
                + " cost int, token varchar(32) primary key)");
    }

    /** The fencing token stands beside what it protects. */
    @Transactional
    public void take(String user, int cost, String token) {
        database.update("insert into matches values (?, ?, ?)", user, cost,
                token);
    }

    public long played() {
        return database.queryForObject("select count(*) from matches",
                Long.class);
    }
}
