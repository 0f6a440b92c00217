// Chaincode in Java, by the contract API: keys and values.

package example;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.hyperledger.fabric.contract.Context;
import org.hyperledger.fabric.contract.ContractInterface;
import org.hyperledger.fabric.contract.annotation.Contract;
import org.hyperledger.fabric.contract.annotation.Default;
import org.hyperledger.fabric.contract.annotation.Transaction;
import org.hyperledger.fabric.shim.ChaincodeException;

@Contract(name = "Ledger")
@Default
public final class Ledger implements ContractInterface {
    @Transaction
    public void Put(final Context context, final String key, final String value) {
        System.out.println("java: " + key + " is put");
        context.getStub().putStringState(key, value);
    }

    @Transaction(intent = Transaction.TYPE.EVALUATE)
    public String Get(final Context context, final String key) {
        final String value = context.getStub().getStringState(key);
        if (value.isEmpty()) {
            throw new ChaincodeException("key \"" + key + "\" has no value");
        }
        return value;
    }

    // What tells this process from all others, whatever namespace it is in: its ID, the namespace in
    // which it has that ID, and when it began, in ticks since the machine did.
    @Transaction(intent = Transaction.TYPE.EVALUATE)
    public String Pid(final Context context) throws IOException {
        final Path self = Path.of("/proc/self");
        final String stat = Files.readString(self.resolve("stat"));
        // The second field is a name in parentheses, the 22nd when it began.
        final String began = stat.substring(stat.lastIndexOf(')') + 2).split(" ")[19];
        final Path namespace = Files.readSymbolicLink(self.resolve("ns/pid"));
        return ProcessHandle.current().pid() + " " + namespace + " " + began;
    }
}
