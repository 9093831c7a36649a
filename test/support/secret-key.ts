// VEREDUS_SECRET_KEY of all tests.
export const testSecretKey = 'a key that protects nothing but tests';
