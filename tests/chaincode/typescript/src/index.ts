// Chaincode in TypeScript, by the contract API: packaged as it is, compiled where it is installed.

import { readFileSync, readlinkSync } from 'fs';

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

    // What tells this process from all others, whatever namespace it is in: its ID, the namespace in
    // which it has that ID, and when it began, in ticks since the machine did.
    @Transaction(false)
    @Returns('string')
    public async Pid(): Promise<string> {
        // The second field is a name in parentheses, the 22nd when it began.
        const stat = readFileSync('/proc/self/stat', 'utf8');
        const began = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
        return `${process.pid} ${readlinkSync('/proc/self/ns/pid')} ${began}`;
    }
}

export const contracts: unknown[] = [Ledger];
