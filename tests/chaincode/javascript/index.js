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

    async Pid() {
        return String(process.pid);
    }
}

module.exports.contracts = [Ledger];
