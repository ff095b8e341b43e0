// SPDX-License-Identifier: Apache-2.0
// wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide 
