"""The whole service on one machine: no Docker, no AWS account, no Flinks account."""
