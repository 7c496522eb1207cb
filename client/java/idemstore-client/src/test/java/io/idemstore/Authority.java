// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Certificates, made by openssl at the time of the test. */
final class Authority {
    private final Path folder;
    private final String name;

    Authority(Path folder, String name) throws Exception {
        this.folder = folder;
        this.name = name;
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=" + name, "-keyout", path(name + ".key"),
                "-out", path(name + ".pem"));
    }

    String file() {
        return path(name + ".pem");
    }

    private String path(String file) {
        return folder.resolve(file).toString();
    }

    /** @param kind of its key: "ec" or "rsa:2048" */
    Issued issue(String of, String alt, String kind, int days)
            throws Exception {
        List<String> request = new ArrayList<>(List.of("req", "-new",
                "-newkey", kind, "-nodes", "-subj", "/CN=" + of, "-keyout",
                path(of + ".key"), "-out", path(of + ".csr")));
        if (kind.equals("ec")) {
            request.addAll(List.of("-pkeyopt",
                    "ec_paramgen_curve:prime256v1"));
        }
        openssl(request.toArray(new String[0]));
        Path extensions = folder.resolve(of + ".ext");
        Files.writeString(extensions, "basicConstraints=CA:FALSE\n"
                + (alt.isEmpty() ? "" : "subjectAltName=" + alt + "\n"));
        openssl("x509", "-req", "-in", path(of + ".csr"), "-CA", file(),
                "-CAkey", path(name + ".key"), "-CAcreateserial", "-days",
                Integer.toString(days), "-extfile", extensions.toString(),
                "-out", path(of + ".crt"));
        return new Issued(path(of + ".crt"), path(of + ".key"));
    }

    Issued server() throws Exception {
        return issue("server", "IP:127.0.0.1", "ec", 2);
    }

    /** A certificate's file, and its key's. */
    record Issued(String cert, String key) {
    }

    static void openssl(String... args) throws Exception {
        List<String> command = new ArrayList<>(List.of("openssl"));
        command.addAll(List.of(args));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes());
        if (process.waitFor() != 0) {
            throw new IOException("openssl " + args[0] + ": " + said);
        }
    }
}
