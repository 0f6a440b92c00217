// Chaincode in Java, by the contract API: keys and values.

package example;

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

    @Transaction(intent = Transaction.TYPE.EVALUATE)
    public String Pid(final Context context) {
        return String.valueOf(ProcessHandle.current().pid());
    }
}
