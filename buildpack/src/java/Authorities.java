import java.io.File;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * Writes a key store with the authorities that this Java trusts and those of PEM files: the first
 * argument is the store, the others are files, or directories of files.
 */
class Authorities {
    public static void main(String[] arguments) throws Exception {
        // In the one kind of store that is read without a password.
        KeyStore all = KeyStore.getInstance("JKS");
        all.load(null, null);
        File own = Path.of(System.getProperty("java.home"), "lib", "security", "cacerts").toFile();
        // What nobody changed, or what has no password.
        KeyStore trusted = KeyStore.getInstance(own, "changeit".toCharArray());
        for (String alias : (Iterable<String>) trusted.aliases()::asIterator) {
            all.setCertificateEntry("java " + alias, trusted.getCertificate(alias));
        }
        Set<Certificate> more = new LinkedHashSet<>();
        for (String place : Arrays.asList(arguments).subList(1, arguments.length)) {
            File[] files = new File(place).isDirectory() ? new File(place).listFiles() : null;
            for (File file : files == null ? new File[] {new File(place)} : files) {
                add(file, more);
            }
        }
        int number = 0;
        for (Certificate certificate : more) {
            all.setCertificateEntry("more " + number++, certificate);
        }
        try (OutputStream store = Files.newOutputStream(Path.of(arguments[0]))) {
            all.store(store, new char[0]);
        }
    }

    /** What cannot be read is passed over, as by others who are told of such places. */
    private static void add(File file, Set<Certificate> to) throws Exception {
        if (!file.isFile()) {
            return;
        }
        try (InputStream pem = Files.newInputStream(file.toPath())) {
            to.addAll(CertificateFactory.getInstance("X.509").generateCertificates(pem));
        } catch (java.io.IOException | java.security.cert.CertificateException fault) {
            System.err.println(file + " is passed over: " + fault.getMessage());
        }
    }
}
