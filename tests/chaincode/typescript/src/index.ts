// Chaincode in TypeScript, by the contract API: packaged as it is, compiled where it is installed.

import { Context, Contract, Info, Returns, Transaction } from 'fabric-contract-api';

declare const process: { pid: number };

@Info({ title: 'Ledger', description: 'Keys and values' })
export class Ledger extends Contract {
    @Transaction()
    public async Put(context: Context, key: string, value: string): Promise<void> {
        await context.stub.putState(key, new TextEncoder().encode(value));
    }

    @Transaction(false)
    @Returns('string')
    public async Get(context: Context, key: string): Promise<string> {
        const value = await context.stub.getState(key);
        if (value.length === 0) {
            throw new Error(`key "${key}" has no value`);
        }
        return new TextDecoder().decode(value);
    }

    @Transaction(false)
    @Returns('string')
    public async Pid(): Promise<string> {
        return String(process.pid);
    }
}

export const contracts: unknown[] = [Ledger];
