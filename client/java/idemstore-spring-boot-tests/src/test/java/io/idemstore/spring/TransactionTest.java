// SPDX-License-Identifier: Apache-2.0
package io.idemstore.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.idemstore.Claim;
import io.idemstore.IdemStore;
import io.idemstore.InProgress;
import io.idemstore.Key;
import io.idemstore.NotRunException;
import io.idemstore.State;
import java.util.UUID;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.dao.DataAccessResourceFailureException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.support.JdbcTransactionManager;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.TransactionSystemException;
import org.springframework.transaction.TransactionTimedOutException;
import org.springframework.transaction.annotation.Transactional;
import org.springframework.transaction.support.DefaultTransactionStatus;
import org.springframework.transaction.support.TransactionSynchronization;
import org.springframework.transaction.support.TransactionSynchronizationManager;
import org.springframework.transaction.support.TransactionTemplate;

/** The aspect stands outside of the transaction, on H2. */
class TransactionTest {
    private static TestApp app;
    private static Shop shop;
    private static JdbcTemplate rows;
    private static TransactionTemplate around;
    private String id;

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class App {
        @Bean
        Shop shop(JdbcTemplate database) {
            return new Shop(database);
        }

        /** Its commits break where that is asked for. */
        @Bean
        PlatformTransactionManager transactions(DataSource database) {
            return new JdbcTransactionManager(database) {
                @Override
                protected void doCommit(DefaultTransactionStatus status) {
                    String how = breaks;
                    breaks = "";
                    if (how.equals("before")) {
                        super.doRollback(status);
                        throw new TransactionSystemException("no commit");
                    }
                    super.doCommit(status);
                    if (how.equals("after")) {
                        throw new DataAccessResourceFailureException(
                                "the connection was lost");
                    }
                }
            };
        }
    }

    static volatile String breaks = "";

    static class Shop {
        private final JdbcTemplate database;

        Shop(JdbcTemplate database) {
            this.database = database;
            database.execute("create table paid (id varchar(99) primary key,"
                    + " token varchar(32))");
        }

        @Idempotent(key = "#id", scope = Scope.NONE)
        @Transactional
        public int pay(String id, String how) throws InterruptedException {
            database.update("insert into paid values (?, ?)", id,
                    Claim.current().token().toString());
            switch (how) {
                case "throws" -> throw new IllegalArgumentException("no");
                case "rolls back at the commit" ->
                        TransactionSynchronizationManager
                                .registerSynchronization(new Refuses());
                default -> { }
            }
            return rows(id);
        }

        @Idempotent(key = "#id", scope = Scope.NONE)
        @Transactional(timeout = 1)
        public int slow(String id) throws InterruptedException {
            Thread.sleep(1_200);
            database.update("insert into paid values (?, ?)", id, "none");
            return 1;
        }

        @Idempotent(key = "#id", scope = Scope.NONE,
                onFailure = Failure.RELEASE)
        @Transactional
        public int payReleased(String id, boolean fails) {
            database.update("insert into paid values (?, ?)", id, "none");
            if (fails) {
                throw new IllegalArgumentException("no");
            }
            return 1;
        }

        int rows(String id) {
            return database.queryForObject(
                    "select count(*) from paid where id = ?", Integer.class,
                    id);
        }
    }

    static class Refuses implements TransactionSynchronization {
        @Override
        public void beforeCommit(boolean readOnly) {
            throw new IllegalStateException("a constraint is not met");
        }
    }

    @BeforeAll
    static void start() {
        app = TestApp.start(App.class, WebApplicationType.NONE,
                "spring.datasource.url=jdbc:h2:mem:tx;DB_CLOSE_DELAY=-1");
        shop = app.bean(Shop.class);
        rows = app.bean(JdbcTemplate.class);
        around = new TransactionTemplate(
                app.bean(PlatformTransactionManager.class));
    }

    @AfterAll
    static void stop() {
        app.close();
    }

    @BeforeEach
    void fresh() {
        id = UUID.randomUUID().toString();
        breaks = "";
    }

    private State state() {
        return app.bean(IdemStore.class).peek(Key.of(id)).state();
    }

    private int committed() {
        return rows.queryForObject("select count(*) from paid where id = ?",
                Integer.class, id);
    }

    private void assertLeft() {
        assertEquals(State.IN_PROGRESS, state());
        assertTrue(assertThrows(NotRunException.class,
                () -> shop.pay(id, "")).answer() instanceof InProgress);
    }

    @Test
    void itIsCompletedAfterTheCommit() throws Exception {
        assertEquals(1, shop.pay(id, ""));
        assertEquals(1, committed());
        assertEquals(State.COMPLETED, state());
        assertEquals(1, shop.pay(id, ""));
        assertEquals(1, committed());
    }

    @Test
    void aCommitThatFailsLeavesTheClaim() {
        breaks = "before";
        assertThrows(TransactionSystemException.class,
                () -> shop.pay(id, ""));
        assertEquals(0, committed());
        assertLeft();
    }

    /** The row is there: a release would have let it happen twice. */
    @Test
    void aCommitWhoseOutcomeIsUnknownLeavesTheClaim() {
        breaks = "after";
        assertThrows(DataAccessResourceFailureException.class,
                () -> shop.pay(id, ""));
        assertEquals(1, committed());
        assertLeft();
        id = UUID.randomUUID().toString();
        breaks = "after";
        assertThrows(DataAccessResourceFailureException.class,
                () -> shop.payReleased(id, false));
        assertEquals(1, committed());
        assertLeft();
    }

    @Test
    void aCommitThatIsRefusedLeavesTheClaim() {
        assertThrows(IllegalStateException.class,
                () -> shop.pay(id, "rolls back at the commit"));
        assertEquals(0, committed());
        assertLeft();
    }

    @Test
    void aTransactionThatTimesOutLeavesTheClaim() {
        assertThrows(TransactionTimedOutException.class,
                () -> shop.slow(id));
        assertEquals(0, committed());
        assertLeft();
    }

    @Test
    void aRollbackByAnExceptionLeavesOrReleases() {
        assertThrows(IllegalArgumentException.class,
                () -> shop.pay(id, "throws"));
        assertEquals(0, committed());
        assertLeft();
        id = UUID.randomUUID().toString();
        assertThrows(IllegalArgumentException.class,
                () -> shop.payReleased(id, true));
        assertEquals(State.RELEASED, state());
        assertEquals(1, shop.payReleased(id, false));
        assertEquals(1, committed());
    }

    @Test
    void aTransactionAroundTheMethodSettlesItAtItsEnd() {
        around.executeWithoutResult(status -> {
            paid();
            assertEquals(State.IN_PROGRESS, state());
        });
        assertEquals(State.COMPLETED, state());
        id = UUID.randomUUID().toString();
        around.executeWithoutResult(status -> {
            paid();
            status.setRollbackOnly();
        });
        assertEquals(0, committed());
        assertEquals(State.IN_PROGRESS, state());
        id = UUID.randomUUID().toString();
        breaks = "after";
        assertThrows(DataAccessResourceFailureException.class,
                () -> around.executeWithoutResult(status -> paid()));
        assertEquals(1, committed());
        assertEquals(State.IN_PROGRESS, state());
    }

    private void paid() {
        try {
            shop.pay(id, "");
        } catch (InterruptedException why) {
            throw new IllegalStateException(why);
        }
    }
}
