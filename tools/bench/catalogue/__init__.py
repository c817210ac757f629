"""The catalogue measured from outside: pages, files beside nginx, downloads beside curl."""
