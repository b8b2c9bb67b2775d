export const setRun = () => {}; export const open = () => {}; export const start = () => {};
