// Chaincode in JavaScript, by the contract API: keys and values.

'use strict';

const { Contract } = require('fabric-contract-api');

class Ledger extends Contract {
    async Put(context, key, value) {
        console.log(`javascript: ${key} is put`);
        await context.stub.putState(key, Buffer.from(value));
    }

    async Get(context, key) {
        const value = await context.stub.getState(key);
        if (value.length === 0) {
            throw new Error(`key "${key}" has no value`);
        }
        return value.toString();
    }

    // What tells this process from all others, whatever namespace it is in: its ID, the namespace in
    // which it has that ID, and when it began, in ticks since the machine did.
    async Pid() {
        const fs = await import('fs');
        // The second field is a name in parentheses, the 22nd when it began.
        const stat = fs.readFileSync('/proc/self/stat', 'utf8');
        const began = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
        return `${process.pid} ${fs.readlinkSync('/proc/self/ns/pid')} ${began}`;
    }
}

module.exports.contracts = [Ledger];
