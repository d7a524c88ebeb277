#!/usr/bin/env node
import { Command } from 'commander';
import { backupCommand } from './backup.ts';
import { configCommand } from './config-docs.ts';
import { exportCommand } from './export.ts';
import { importCommand } from './import.ts';
import { rekeyCommand } from './rekey.ts';
import { serveCommand } from './serve.ts';
import { VERSION } from '../version.ts';

const program = new Command('schoolbell')
  .description('Durable, signed webhooks for learning platforms.')
  .version(VERSION)
  .addCommand(serveCommand())
  .addCommand(backupCommand())
  .addCommand(rekeyCommand())
  .addCommand(exportCommand())
  .addCommand(importCommand())
  .addCommand(configCommand());

await program.parseAsync();
