// What a call ended with, be it an error.
export const outcome = (call) => call.catch((error) => error);

export const tell = (seen) => console.log(JSON.stringify(seen));
