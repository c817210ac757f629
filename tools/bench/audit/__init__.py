"""What audits are measured on: tables that copy, tables that do not, and peers' opinions of both."""
