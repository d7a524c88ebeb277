/**
 * Loaded into a server before its own code: each SIGUSR2 sets its clock to the next of the offsets,
 * in milliseconds from the true time, and the last one stays.
 */
const offsets = (process.env['CLOCK_OFFSETS_MS'] ?? '').split(',').map(Number);
const trueNow = Date.now.bind(Date);
let offset = 0;

Date.now = () => trueNow() + offset;
process.on('SIGUSR2', () => {
  offset = offsets.shift() ?? offset;
});
