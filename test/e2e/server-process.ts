import {
  type SchoolbellOptions,
  startSchoolbell,
} from '../../packages/server/src/app/schoolbell.ts';

/** A server in a process of its own, to be killed: with these options, for as long as its parent lives. */
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.once('message', (options: SchoolbellOptions) => {
  void startSchoolbell(options).then(({ url, adminKey }) => process.send?.({ url, adminKey }));
});
