"""AWS on one machine: an existing emulator, held to AWS's written rules where it departs from them."""
