// SPDX-License-Identifier: Apache-2.0
package io.idemstore;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Certificates and keys out of PEM files. */
final class Pem {
    private static final Pattern BLOCK = Pattern.compile(
            "-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \\1-----");
    private static final int FILE_BYTES_MAX = 16 << 20;
    /** PKCS#8's frame around a PKCS#1 key: version 0, rsaEncryption. */
    private static final byte[] RSA = {2, 1, 0, 0x30, 13, 6, 9, 0x2A,
        (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xF7, 0x0D, 1, 1, 1, 5, 0};

    private record Block(String kind, byte[] der) {
    }

    private Pem() {
    }

    private static List<Block> blocks(String path)
            throws IOException, GeneralSecurityException {
        Path file = Path.of(path);
        if (Files.size(file) > FILE_BYTES_MAX) {
            throw new GeneralSecurityException("the file is too large");
        }
        Matcher found = BLOCK.matcher(
                Files.readString(file, StandardCharsets.ISO_8859_1));
        List<Block> made = new ArrayList<>();
        while (found.find()) {
            made.add(new Block(found.group(1),
                    decoded(found.group(2))));
        }
        return made;
    }

    private static byte[] decoded(String base64)
            throws GeneralSecurityException {
        try {
            return Base64.getMimeDecoder().decode(base64);
        } catch (IllegalArgumentException why) {
            throw new GeneralSecurityException(
                    "a block of it is no base64", why);
        }
    }

    static X509Certificate[] certificates(String path)
            throws IOException, GeneralSecurityException {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<X509Certificate> made = new ArrayList<>();
        for (Block one : blocks(path)) {
            if (one.kind.endsWith("CERTIFICATE")) {
                made.add((X509Certificate) factory.generateCertificate(
                        new ByteArrayInputStream(one.der)));
            }
        }
        if (made.isEmpty()) {
            throw new GeneralSecurityException(
                    "there is no certificate in it");
        }
        return made.toArray(new X509Certificate[0]);
    }

    static PrivateKey key(String path)
            throws IOException, GeneralSecurityException {
        for (Block one : blocks(path)) {
            if (one.kind.equals("PRIVATE KEY")) {
                return pkcs8(one.der);
            }
            if (one.kind.equals("RSA PRIVATE KEY")) {
                return pkcs8(framed(one.der));
            }
            if (one.kind.endsWith("PRIVATE KEY")) {
                throw new GeneralSecurityException("its key is of the kind "
                        + one.kind + "; openssl pkcs8 -topk8 -nocrypt makes "
                        + "one that can be read");
            }
        }
        throw new GeneralSecurityException("there is no private key in it");
    }

    private static PrivateKey pkcs8(byte[] der)
            throws GeneralSecurityException {
        GeneralSecurityException last = null;
        for (String kind : new String[] {"RSA", "EC", "EdDSA"}) {
            try {
                return KeyFactory.getInstance(kind).generatePrivate(
                        new PKCS8EncodedKeySpec(der));
            } catch (GeneralSecurityException why) {
                last = why;
            }
        }
        throw last;
    }

    private static byte[] framed(byte[] pkcs1) {
        ByteArrayOutputStream inner = new ByteArrayOutputStream();
        inner.writeBytes(RSA);
        inner.write(4);
        inner.writeBytes(length(pkcs1.length));
        inner.writeBytes(pkcs1);
        ByteArrayOutputStream made = new ByteArrayOutputStream();
        made.write(0x30);
        made.writeBytes(length(inner.size()));
        made.writeBytes(inner.toByteArray());
        return made.toByteArray();
    }

    /** DER's, in its form of two bytes: a key is neither short nor huge. */
    private static byte[] length(int length) {
        return new byte[] {(byte) 0x82, (byte) (length >> 8), (byte) length};
    }
}
