"""Digits drawn in a browser, recognised by WebAssembly that graphc made."""
